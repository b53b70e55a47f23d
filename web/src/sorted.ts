// Rows kept in order while they change one by one. A change costs two binary searches and one move of pointers,
// so that a list of 100,000 open alarms follows without being sorted again.

export class Sorted<Row extends { id: number }> {
  private readonly byId = new Map<number, Row>();
  private readonly ordered: Row[] = [];

  /** `before` is a total order: two rows of different ids are never equal. */
  constructor(private readonly before: (a: Row, b: Row) => number) {}

  get rows(): readonly Row[] {
    return this.ordered;
  }

  get(id: number): Row | undefined {
    return this.byId.get(id);
  }

  put(row: Row): void {
    this.remove(row.id);
    this.byId.set(row.id, row);
    this.ordered.splice(this.place(row), 0, row);
  }

  /** Many rows at once: one sort instead of many moves. */
  putAll(rows: readonly Row[]): void {
    if (rows.length < 64) {
      rows.forEach((row) => this.put(row));
      return;
    }
    rows.forEach((row) => this.byId.set(row.id, row));
    this.ordered.splice(0, this.ordered.length);
    for (const row of this.byId.values()) this.ordered.push(row);
    this.ordered.sort(this.before);
  }

  remove(id: number): void {
    const row = this.byId.get(id);
    if (row === undefined) return;
    this.byId.delete(id);
    this.ordered.splice(this.place(row), 1);
  }

  /** Where the row stands, or would stand. */
  private place(row: Row): number {
    let low = 0;
    let high = this.ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.before(this.ordered[middle]!, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
