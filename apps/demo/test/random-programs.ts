import { CPU_STEPS, DEVICE_STEPS, type Program, type Step } from './small-programs.ts'

/** Of the kernel's form: what moves pages, or makes them exclusive, races with MADV_DONTNEED there, as in Linux. */
const OF_KERNEL_FORM = ['read', 'write', 'snapshot'] as const
const OF_V6_FORM = ['read', 'read', 'read', 'write', 'write', 'write', 'snapshot', 'toDevice', 'toSystem', 'exclusive'] as const
const OF_CPU = ['touch', 'poke', 'unmap', 'unmap', 'protect', 'protect', 'discard', 'discard', 'remap'] as const
const KERNEL = 0
const V6 = 1

/** Two tasks of one or two steps each, on one or two pages that both forms mirror: device 0 the kernel's, device 1 the v6 form. The same seed makes the same program. */
export function randomProgram(seed: number): Program {
  const draw = generator(seed)
  const pick = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[draw(list.length)] as T
  const pages = draw(3) === 0 ? 2 : 1
  const range = (): [first: number, count: number] => {
    const first = draw(pages)
    return [first, 1 + draw(pages - first)]
  }
  const ofDevice = (d: number): Step => DEVICE_STEPS[pick(d === KERNEL ? OF_KERNEL_FORM : OF_V6_FORM)](d, ...range())
  const ofCpu = (): Step => CPU_STEPS[pick(OF_CPU)](...range())
  const ofAny = (): Step => (draw(2) === 0 ? ofCpu() : ofDevice(draw(3) === 0 ? KERNEL : V6))
  const more = (first: Step): Step[] => (draw(5) === 0 ? [first, ofAny()] : [first])
  const before = [KERNEL, V6].flatMap((d) => (draw(5) > 0 ? [DEVICE_STEPS.read(d, 0, pages)] : []))
  return { forms: ['kernel', 'v6'], pages, before, tasks: { one: more(ofDevice(draw(3) === 0 ? KERNEL : V6)), two: more(draw(5) === 0 ? ofAny() : ofCpu()) } }
}

export function describeProgram({ pages, before = [], tasks }: Program): string {
  const line = (steps: readonly Step[]): string => steps.map(({ name }) => name).join(', ')
  return `${pages} ${pages === 1 ? 'page' : 'pages'}; before: ${line(before) || 'nothing'}; ${Object.entries(tasks).map(([name, steps]) => `${name}: ${line(steps)}`).join('; ')}`
}

/** xorshift32: a whole number in `[0, n)`. */
function generator(seed: number): (n: number) => number {
  let x = (seed * 0x9e3779b1) | 1
  return (n) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return Math.floor(((x >>> 0) / 2 ** 32) * n)
  }
}
