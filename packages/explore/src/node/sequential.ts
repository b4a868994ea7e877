/**
 * `node --import @mmu-notifier/explore/sequential program.js`: makes async functions ordinary ones, for a program of one task in which nothing has to wait. Worker threads inherit
 * the option, and with it this.
 */
import { installHooks } from './install.ts'

installHooks('sequential')
