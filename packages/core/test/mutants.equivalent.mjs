/** Mutants of the protocol file that change nothing that anybody can see, and why. By what `mutants.mjs` calls them, without the line. */
export const EQUIVALENT = {
  "entry.seq.value = this.before(this.seq.value) before this.enter(entry)": "both are in one section, and neither looks at the other",
  "this.enter(entry) before this.freeze()": "both are in one section, and neither looks at the other",
  "const released: E[] = [] before if (entry.references > 0) return []": "a list that is made and not used",
  "this.retire(entry, released) before entry.removal = 'put'": "retiring asks for the other two kinds of removal only",
  "const released: E[] = [] before this.assertNotDying(entry)": "a list that is made and not used",
  "if (entry.references !== 1) throw new MmuNotifierError('EBUSY', `remove of ${describe(entry)}: ${entry.references - 1} other references": "which of two errors comes first when both are due is not promised",
  "for (const entry of concerned) this.assertNotDying(entry) before if (new Set(concerned).size !== concerned.length) throw new TypeError(": "which of two errors comes first when both are due is not promised",
  "const released: E[] = [] before for (const entry of concerned) this.assertNotDying(entry)": "a list that is made and not used",
  "for (const { entry, interval } of update) this.update(entry, interval, released) before for (const entry of remove) { entry.removal = '": "a batch is deferred as a whole, and what it concerns is distinct: the order is not seen",
  "for (const entry of insert) this.insert(entry) before for (const { entry, interval } of update) this.update(entry, interval, released)": "a batch is deferred as a whole, and what it concerns is distinct: the order is not seen",
  "const handle = this.tree.findFirst(range.start, range.end - 1) before this.active++": "both are in one section, and neither looks at the other",
  "this.freeze() before this.active++": "both are in one section, and neither looks at the other",
}
