/** `node --import @mmu-notifier/explore/register program.js`: compiles the program. Worker threads inherit the option, and with it this. */
import { installHooks } from './install.ts'

installHooks('generators')
