import { devicePages, pagesData } from './program-data.ts'
import type { Mirror, ProgramMachine, Results } from './program-machine.ts'
import type { Operation } from './program.ts'

interface Arguments {
  readonly d: number
  readonly page: number
  readonly n: number
  readonly val: number
}

const OPERATIONS: ReadonlySet<string> = new Set(['dread', 'dwrite', 'todev', 'tosys', 'snap', 'excl', 'chkexcl', 'dclose', 'dopen'])

export function isOfDevice({ op }: Operation): boolean {
  return OPERATIONS.has(op)
}

/** Operations of the devices. @returns undefined for an operation of another kind. Errors are the errno of the ioctl */
export async function performDevice(machine: ProgramMachine, operation: Operation): Promise<Results | undefined> {
  const args = operation as unknown as Arguments
  if (operation.op === 'dopen') {
    await machine.openDevice(args.d)
    return { ret: 0 }
  }
  const mirror = machine.mirrors[args.d]
  if (!mirror) return { skipped: 'closed' }
  if (operation.op === 'dclose') {
    await machine.closeDevice(args.d)
    return { ret: 0 }
  }
  if ((operation.op === 'dread' || operation.op === 'dwrite') && mayStopKernel(machine, mirror, operation.op === 'dwrite', args)) {
    return { skipped: 'local-page-not-in-device-table' }
  }
  return command(mirror, operation.op, machine.address(args.page), args)
}

async function command(mirror: Mirror, op: string, address: number, { n, val }: Arguments): Promise<Results | undefined> {
  switch (op) {
    case 'dread': {
      const { bytes, faults } = await mirror.read(address, n)
      return { ret: 0, cpages: n, faults, data: pagesData(bytes) }
    }
    case 'dwrite':
      return { ret: 0, cpages: n, faults: await mirror.write(address, devicePages(n, val)) }
    case 'todev':
      return { ret: 0, cpages: n, data: pagesData(await mirror.migrateToDevice(address, n)) }
    case 'tosys':
      return { ret: 0, cpages: await mirror.migrateToSystem(address, n) }
    case 'snap':
      return { ret: 0, cpages: n, perm: hexBytes(await mirror.snapshot(address, n)) }
    case 'excl':
      return { ret: 0, cpages: n, data: pagesData(await mirror.exclusive(address, n)) }
    case 'chkexcl':
      await mirror.checkExclusive(address, n)
      return { ret: 0 }
    default:
      return undefined
  }
}

const LOCAL = 0x20
const WRITABLE = 2
const PROT_ERROR = 0xff

/**
 * What the recorder asked itself before it let a device read or write: does the device fault in a page of its own memory? The kernel would
 * not survive the access that follows. It looks at the device's table, and from the first page on that is missing there at the last snapshot.
 */
function mayStopKernel(machine: ProgramMachine, mirror: Mirror, write: boolean, { d, page, n }: Arguments): boolean {
  let missing = false
  for (let at = page; at < page + n; at++) {
    const entry = mirror.look(machine.address(at))
    missing ||= write ? entry !== 'w' : entry === '.'
    const protection = machine.lastSnapshot(d, at)
    if (missing && protection !== PROT_ERROR && protection & LOCAL && (!write || protection & WRITABLE)) return true
  }
  return false
}

/** Two digits a byte. */
export function hexBytes({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('hex')
}
