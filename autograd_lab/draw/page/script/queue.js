/**
 * The ready queue: the highest key first, ties as `std::priority_queue` breaks them.
 *
 * Relies on nothing. The algorithm is that of `ReadyQueue` in `capture/order.py`; its Note [Equal sequence numbers] says
 * why it's this one.
 */

/** A priority queue of numbers, which are indices of its keys. */
export class ReadyQueue {
  /**
   * @param {ArrayLike<number>} keys
   * @param {number[]} heap What another queue's `heap` is.
   */
  constructor(keys, heap = []) {
    this.keys = keys;
    this.heap = heap.slice();
  }

  /** Puts an item in. */
  push(item) {
    this.heap.push(item);
    this.#siftUp(this.heap.length - 1, item);
  }

  /** Takes out the item with the highest key. */
  pop() {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (this.heap.length) this.#siftUp(this.#sinkHole(), last);
    return first;
  }

  /** Takes out an item wherever it stands: where several threads run, that isn't always the first. */
  take(item) {
    if (this.heap[0] === item) {
      this.pop();
      return;
    }
    const others = this.heap.filter((other) => other !== item);
    this.heap = [];
    for (const other of others) this.push(other);
  }

  /** Returns the items in the order in which they would be taken out, `most` of them; takes none out. */
  inOrder(most = Infinity) {
    const copy = new ReadyQueue(this.keys, this.heap);
    const taken = [];
    while (copy.heap.length && taken.length < most) taken.push(copy.pop());
    return taken;
  }

  /** Moves the hole up past smaller parents, and fills it (`__push_heap`). */
  #siftUp(start, item) {
    const { heap, keys } = this;
    let hole = start;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[heap[parent]] >= keys[item]) break;
      heap[hole] = heap[parent];
      hole = parent;
    }
    heap[hole] = item;
  }

  /** Moves the hole at the top down past the larger child; of two equal ones the right moves up (`__adjust_heap`). */
  #sinkHole() {
    const { heap, keys } = this;
    const size = heap.length;
    let hole = 0;
    while (2 * hole + 2 < size) {
      const right = 2 * hole + 2;
      const child = keys[heap[right]] < keys[heap[right - 1]] ? right - 1 : right;
      heap[hole] = heap[child];
      hole = child;
    }
    if (2 * hole + 2 === size) {
      heap[hole] = heap[size - 1];
      hole = size - 1;
    }
    return hole;
  }
}
