/**
 * What a backward's state was after each of its steps: which node runs, what the input buffers hold, the ready queue,
 * the leaves that have their gradient, what is still saved.
 *
 * Relies on `queue.js` and `stairs.js`, and reads graphs and traces as `model.js` makes them. Touches no document.
 *
 * Note [Times]
 * "After k steps" is a time. At time 0 the backward's start has arrived at the roots and nothing has run; a node that
 * is step k runs between times k and k + 1, and what it returns has arrived at time k + 1. So three numbers for each
 * node say all about it: when its first gradient arrived, when its last one did (it is ready from then on), and which
 * step it was. Any time can be looked at without those before it.
 *
 * Note [Ties in the queue]
 * In which order the ready nodes stand depends, among equal sequence numbers, on the heap's history. So the queue is
 * kept as the engine keeps it, with a copy now and then from which any later time is a short way. A copy is made after
 * as many steps as there are buffers, so that all copies together are no longer than the backward.
 *
 * Note [What didn't run]
 * In a backward that ended well, what didn't run wasn't needed (`inputs=`): nothing is kept for it. In one that raised,
 * it waits. The last step of such a one may have no duration: that's the node that raised, and it sent nothing on.
 */

import { ReadyQueue } from "./queue.js";
import { stairs } from "./stairs.js";

const NEVER = 0x7fffffff;
const APART = 256; // steps from one copy of the queue to the next, at least

const players = new WeakMap();

/**
 * Returns the player of a trace, or of a graph that hasn't run; the same one each time.
 *
 * @param {Object} played A trace or a graph of the model.
 * @returns {Player}
 */
export function playerOf(played) {
  if (!players.has(played)) {
    players.set(played, played.graph ? new Player(played.graph, played) : new Player(played, null));
  }
  return players.get(played);
}

/**
 * Returns a backward's state after so many steps; see `State`.
 *
 * @param {Object} played A trace or a graph of the model.
 * @param {number} time
 */
export function playerAt(played, time) {
  return playerOf(played).at(time);
}

/** A backward that can be looked at after each step. See Note [Times]. */
export class Player {
  /**
   * @param {Object} graph
   * @param {Object|null} trace Null plays the plan of a graph that hasn't run: the nodes' own order.
   */
  constructor(graph, trace) {
    this.graph = graph;
    this.trace = trace;
    this.planned = trace === null;
    this.order = trace ? trace.columns.steps.node : Array.from({ length: graph.nodeCount }, (_, id) => id);
    this.length = this.order.length;
    this.error = trace?.error ?? null;
    const last = this.length - 1;
    const raised = this.error !== null && last >= 0 && trace.columns.steps.duration[last] === null;
    this.failed = raised ? this.order[last] : null;
    this.stepOf = new Int32Array(graph.nodeCount).fill(-1);
    this.order.forEach((node, step) => { this.stepOf[node] = step; });
    this.#send();
    this.leaves = this.order.flatMap((node, step) => (
      graph.kindOf(node) === "accumulate" && node !== this.failed ? [{ node, step }] : []));
  }

  /** Follows everything that arrives, once through. See Note [Times]. */
  #send() {
    const { columns, nodeCount } = this.graph;
    const { edges, roots, nodes } = columns;
    this.expected = new Int32Array(nodeCount);
    for (const head of [...edges.head, ...roots.node]) this.expected[head] += 1;
    this.first = new Int32Array(nodeCount).fill(NEVER);
    this.complete = new Int32Array(nodeCount).fill(NEVER);
    this.arriving = []; // time -> the nodes whose first gradient arrived then
    this.readyAt = []; // time -> the nodes that became ready then, in the order of the edges
    const count = new Int32Array(nodeCount);
    const arrive = (node, time) => {
      if (!this.#needed(node)) return;
      if (count[node] === 0) {
        this.first[node] = time;
        (this.arriving[time] ??= []).push(node);
      }
      count[node] += 1;
      if (count[node] === this.expected[node]) {
        this.complete[node] = time;
        (this.readyAt[time] ??= []).push(node);
      }
    };
    for (const node of roots.node) arrive(node, 0);
    this.order.forEach((node, step) => {
      if (node === this.failed) return;
      for (const edge of this.graph.edgesOut(node)) arrive(edges.head[edge], step + 1);
    });
    this.keys = Float64Array.from(nodes.sequence, (sequence) => (sequence < 0 ? Infinity : Number(sequence)));
    this.cursor = this.#cursor(-1);
    this.copies = [];
  }

  /** See Note [What didn't run]. */
  #needed(node) {
    return this.planned || this.error !== null || this.stepOf[node] >= 0;
  }

  /** Saved memory at each time; see `stairs.js`. */
  get saved() {
    const until = (node) => (node === this.failed || this.stepOf[node] < 0 ? NEVER : this.stepOf[node] + 1);
    this.stairs ??= stairs(this.graph, until, this.length);
    return this.stairs;
  }

  /** Returns "done", "running", "failed", "ready", "filling", "waiting" or, for what `inputs=` left out, "unneeded". */
  status(node, time) {
    const step = this.stepOf[node];
    if (step >= 0 && step < time) {
      if (step < time - 1) return "done";
      return node === this.failed ? "failed" : "running";
    }
    if (this.complete[node] <= time) return "ready";
    if (this.first[node] <= time) return "filling";
    return this.#needed(node) ? "waiting" : "unneeded";
  }

  /** Returns the state after so many steps. Its lists are made when they're asked for. */
  at(time) {
    return new State(this, Math.max(0, Math.min(this.length, time)));
  }

  /** Brings the queue and the buffers to a time, and returns them. See Note [Ties in the queue]. */
  seek(time) {
    const copy = this.copies[this.#copyBefore(time)];
    if (this.cursor.time > time || (copy && copy.time > this.cursor.time)) {
      this.cursor = copy ? this.#cursor(copy.time, copy.heap, copy.buffers) : this.#cursor(-1);
    }
    while (this.cursor.time < time) this.#forward(this.cursor);
    return this.cursor;
  }

  #cursor(time, heap = [], buffers = []) {
    return { time, queue: new ReadyQueue(this.keys, heap), buffers: new Set(buffers) };
  }

  #forward(cursor) {
    if (cursor.time >= 0) {
      const node = this.order[cursor.time];
      cursor.queue.take(node);
      cursor.buffers.delete(node);
    }
    cursor.time += 1;
    for (const node of this.arriving[cursor.time] ?? []) cursor.buffers.add(node);
    for (const node of this.readyAt[cursor.time] ?? []) cursor.queue.push(node);
    const latest = this.copies.length ? this.copies[this.copies.length - 1].time : -1;
    if (cursor.time - latest >= Math.max(APART, cursor.buffers.size)) {
      this.copies.push({ time: cursor.time, heap: cursor.queue.heap.slice(), buffers: [...cursor.buffers] });
    }
  }

  /** The place of the last copy that isn't later than a time; -1 for none. */
  #copyBefore(time) {
    let low = 0;
    let high = this.copies.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.copies[middle].time <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** What has arrived at a node by a time, in order: `{slot, source, sender_slot, stats, time}`; null: the start. */
  arrived(node, time) {
    return this.#contributions(node).filter((each) => each.time <= time);
  }

  /** From the trace, if the node ran and its contributions were noted; else from the edges of what did run. */
  #contributions(node) {
    const step = this.stepOf[node];
    const came = this.trace && step >= 0 ? this.trace.step(step).came : [];
    if (came.length) {
      return came.map((each) => ({ ...each, time: each.source === null ? 0 : this.stepOf[each.source] + 1 }));
    }
    const roots = Array.from({ length: this.graph.rootCount }, (_, root) => this.graph.edge(this.graph.edgeCount + root));
    const started = roots.filter(({ head }) => head === node);
    const sent = this.graph.edgesIn(node).map((edge) => this.graph.edge(edge))
      .filter(({ tail }) => this.stepOf[tail] >= 0 && tail !== this.failed);
    sent.sort((one, other) => this.stepOf[one.tail] - this.stepOf[other.tail] || one.slot - other.slot);
    return [...started, ...sent].map((edge) => this.#contribution(edge));
  }

  #contribution({ tail, slot, input }) {
    const stats = tail === null ? null : (this.trace?.gradInputs(tail)[slot] ?? null);
    return { slot: input, source: tail, sender_slot: slot, stats, time: tail === null ? 0 : this.stepOf[tail] + 1 };
  }
}

/** A backward's state after `time` of its steps. */
class State {
  constructor(player, time) {
    this.player = player;
    this.time = time;
    this.length = player.length;
    /** The node that runs, or ran last; null before the first. */
    this.current = time > 0 ? player.order[time - 1] : null;
    /** The node that runs next; null at the end. */
    this.next = time < player.length ? player.order[time] : null;
    /** At the end: the node that raised, if one did, and what the backward raised. */
    this.failed = time === player.length ? player.failed : null;
    this.error = time === player.length ? player.error : null;
  }

  /** As `Player.status`. */
  status(node) {
    return this.player.status(node, this.time);
  }

  /** The ids of the nodes whose gradients have all arrived, the next to run first. */
  get ready() {
    return this.player.seek(this.time).queue.inOrder();
  }

  /** How many of these there are. */
  get readyCount() {
    return this.player.seek(this.time).queue.heap.length;
  }

  /** The ids of the nodes that something has arrived at and that didn't run yet. */
  get buffers() {
    return [...this.player.seek(this.time).buffers].sort((one, other) => one - other);
  }

  /** Returns a node's input buffer: what arrived in which slot, and how many gradients are awaited of how many. */
  buffer(node) {
    const arrived = this.player.arrived(node, this.time);
    const expected = this.player.expected[node];
    const slots = this.player.graph.metasOf(node).map(() => 0);
    for (const { slot } of arrived) slots[slot] = (slots[slot] ?? 0) + 1;
    return { node, arrived, expected, awaited: expected - arrived.length, slots };
  }

  /** The leaves that have had their turn, first to last: `{node, step}`. */
  get landed() {
    const { leaves } = this.player;
    let count = leaves.length;
    while (count > 0 && leaves[count - 1].step >= this.time) count -= 1;
    return leaves.slice(0, count);
  }

  /** Bytes that saved tensors keep alive: `{activations, parameters}`. */
  get saved() {
    const { activations, parameters } = this.player.saved;
    return { activations: activations[this.time], parameters: parameters[this.time] };
  }
}
