/** What the tests of the page's layout share: graphs at random, and what is wrong with a layout. */

globalThis.random = (seed) => () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;

/** A graph of so many nodes in so many boxes, inside each other, with edges that go `reach` nodes ahead at most. */
globalThis.makeGraph = (seed, count, boxCount, reach, saysWhich = (node, next) => Math.floor(next() * boxCount)) => {
  const next = random(seed);
  const parent = [-1, ...Array.from({length: boxCount - 1}, (_, at) => Math.floor(next() * (at + 1)))];
  const box = Array.from({length: count}, (_, node) => saysWhich(node, next));
  const [tail, head] = [[], []];
  for (let node = 1; node < count; node++) {
    for (let more = 1 + Math.floor(next() * 2); more > 0; more--) {
      tail.push(Math.max(0, node - 1 - Math.floor(next() * reach)));
      head.push(node);
    }
  }
  const none = tail.map(() => -1);
  const first = parent.map((_, index) => Math.max(0, box.indexOf(index)));
  const zero = parent.map(() => 0);
  const columns = {
    nodes: {}, box, edges: {tail, head, slot: none, input: none, name: none}, roots: {node: [0], input: [0], name: [-1]},
    boxes: {parent, kind: zero, title: zero, class: zero, times: zero, note: zero, first, last: first, count: zero}, unreached: [],
  };
  return graphs.createGraph(columns, {text: () => "name"});
};

globalThis.sizeOf = (item) => ({width: 70 + (item % 7) * 12, height: 24 + (item % 3) * 12});

globalThis.layoutFor = (graph) => {
  const layoutOf = layouts.createLayout(graph, levels.createLevels(graph), sizeOf);
  return (open) => layoutOf(0, new Set(open));
};

globalThis.crosses = (a, b) => a.x < b.x + b.width - .01 && b.x < a.x + a.width - .01
  && a.y < b.y + b.height - .01 && b.y < a.y + a.height - .01;

/** What is wrong with a layout, level by level. */
globalThis.faults = (layout) => {
  const found = [];
  for (const item of layout.items) {
    if (item.x < 0 || item.x + item.width > layout.width || item.y < 0 || item.y + item.height > layout.height) found.push(`${item.item} is outside`);
    for (const other of layout.items) if (item.item < other.item && crosses(item, other)) found.push(`${item.item} overlaps ${other.item}`);
    if (item.inner) found.push(...faults(item.inner));
  }
  for (const {points, key} of layout.wires) {
    for (let at = 1; at < points.length; at++) {
      const [[x1, y1], [x2, y2]] = [points[at - 1], points[at]];
      const line = {x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x1 - x2), height: Math.abs(y1 - y2)};
      for (const item of layout.items) if (crosses({...line, width: line.width + .02}, item)) found.push(`${key} goes through ${item.item}`);
    }
  }
  return found;
};
null;
