import * as module from 'node:module'

/** Blanks out the types, so that everything stays where it is. Node has it from 22.13 on. */
export const stripTypeScriptTypes: ((code: string) => string) | undefined = (module as { stripTypeScriptTypes?: (code: string) => string }).stripTypeScriptTypes
