/**
 * A backward graph and its tree of boxes, decoded.
 *
 * Relies on nothing. What can be seen is an *item*: a node, a box or a root (an output, from which the backward
 * starts). Items are numbered through: nodes first, then boxes, then roots.
 */

/**
 * Returns a graph.
 *
 * @param {Object} columns One of `data.graphs`.
 * @param {Object} decode From `createDecoder`.
 */
export function createGraph(columns, decode) {
  const { text } = decode;
  const { nodes, edges, roots, boxes, box } = columns;
  const nodeCount = box.length;
  const boxCount = boxes.parent.length;
  const edgeCount = edges.tail.length;
  const rootCount = roots.node.length;
  const firstRoot = nodeCount + boxCount;
  const depths = depthsOf(boxes.parent);
  const lazy = {};
  const once = (name, make) => (lazy[name] ??= make());

  const isNode = (item) => item < nodeCount;
  const isBox = (item) => item >= nodeCount && item < firstRoot;
  const isRoot = (item) => item >= firstRoot;
  const boxItem = (index) => nodeCount + index;
  /** The box that an item lies in; -1 for the top one. */
  const parentOf = (item) => {
    if (isNode(item)) return box[item];
    return isBox(item) ? boxes.parent[item - nodeCount] : 0;
  };
  const depthOf = (item) => (isBox(item) ? depths[item - nodeCount] - 1 : isRoot(item) ? 0 : depths[box[item]]);

  // Edges are numbered through as well: those between nodes, then one from each root.
  const tailOf = (edge) => (edge < edgeCount ? edges.tail[edge] : firstRoot + edge - edgeCount);
  const headOf = (edge) => (edge < edgeCount ? edges.head[edge] : roots.node[edge - edgeCount]);

  function listsOf(count, keyOf, total) {
    const lists = Array.from({ length: count }, () => []);
    for (let index = 0; index < total; index++) lists[keyOf(index)].push(index);
    return lists;
  }

  /** Walks two items up until both lie in one box: `[item, item, box]`. */
  function apart(left, right) {
    while (depthOf(left) > depthOf(right)) left = boxItem(parentOf(left));
    while (depthOf(right) > depthOf(left)) right = boxItem(parentOf(right));
    while (parentOf(left) !== parentOf(right)) {
      left = boxItem(parentOf(left));
      right = boxItem(parentOf(right));
    }
    return [left, right, parentOf(left)];
  }

  /** For each box, what lies in it: nodes and boxes in the engine's order, roots before all. */
  function children() {
    return once("children", () => {
      const lists = Array.from({ length: boxCount }, () => []);
      for (let index = 0; index < rootCount; index++) lists[0].push(firstRoot + index);
      const inside = [];
      for (let item = 0; item < firstRoot; item++) {
        if (parentOf(item) >= 0) inside.push(item);
      }
      const key = (item) => (isNode(item) ? item : boxes.first[item - nodeCount] - 0.5);
      inside.sort((left, right) => key(left) - key(right));
      for (const item of inside) lists[parentOf(item)].push(item);
      return lists;
    });
  }

  /** For each edge, the innermost box that holds both ends, and the children of that box which hold one each. */
  function meetings() {
    return once("meetings", () => {
      const total = edgeCount + rootCount;
      const found = {
        tail: new Int32Array(total),
        head: new Int32Array(total),
        byBox: Array.from({ length: boxCount }, () => []),
      };
      for (let edge = 0; edge < total; edge++) {
        const [tail, head, index] = apart(tailOf(edge), headOf(edge));
        found.tail[edge] = tail;
        found.head[edge] = head;
        found.byBox[index].push(edge);
      }
      return found;
    });
  }

  function nodesByBox() {
    return once("nodesByBox", () => {
      const lists = listsOf(boxCount, (node) => box[node], nodeCount);
      for (const index of byDepth(depths)) {
        const parent = boxes.parent[index];
        if (parent >= 0) for (const node of lists[index]) lists[parent].push(node);
      }
      return lists;
    });
  }

  const pathOf = (item) => {
    const path = [];
    for (let at = parentOf(item); at >= 0; at = boxes.parent[at]) path.push(at);
    return path.reverse();
  };

  /** The item that stands for a node or a root where only the boxes in `open` are open. */
  const shownFor = (item, open) => pathOf(item).reduce(
    (shown, index) => (shown === item && !open.has(index) ? boxItem(index) : shown),
    item,
  );

  return {
    columns, nodeCount, boxCount, edgeCount, rootCount, firstRoot, roots,
    isNode, isBox, isRoot, boxItem, parentOf, tailOf, headOf, pathOf, shownFor,
    boxOf: (item) => item - nodeCount,
    unreached: columns.unreached.map(text),
    childrenOf: (index) => children()[index],
    /** The edges whose ends lie in different children of a box; those children are `tailAt` and `headAt`. */
    edgesAt: (index) => meetings().byBox[index],
    tailAt: (edge) => meetings().tail[edge],
    headAt: (edge) => meetings().head[edge],
    /** The ids of all nodes in a box, those in its boxes too. */
    nodesIn: (index) => nodesByBox()[index],
    edgesOut: (node) => once("edgesOut", () => listsOf(nodeCount, (edge) => edges.tail[edge], edgeCount))[node],
    edgesIn: (node) => once("edgesIn", () => listsOf(nodeCount, (edge) => edges.head[edge], edgeCount))[node],
    edge: (edge) => edgeAt(columns, edge, text),
    node: (id) => nodeAt(columns, id, decode),
    /** Whether an edge carries the gradient of a tensor that has a name. */
    isNamed: (edge) => (edge < edgeCount ? edges.name[edge] >= 0 : false),
    rootName: (root) => text(roots.name[root]),
    rootOf: (item) => item - firstRoot,
    nameOf: (id) => text(nodes.name[id]),
    kindOf: (id) => text(nodes.kind[id]),
    variableOf: (id) => text(nodes.variable[id]),
    moduleOf: (id) => text(nodes.module[id]),
    placeOf: (id) => ({ file: text(nodes.file[id]), line: nodes.line[id], function: text(nodes.function[id]) }),
    metasOf: (id) => nodes.metas[id].map(text),
    box: (index) => ({
      index,
      parent: boxes.parent[index],
      kind: text(boxes.kind[index]),
      title: text(boxes.title[index]) ?? "",
      class: text(boxes.class[index]),
      times: boxes.times[index],
      note: text(boxes.note[index]),
      first: boxes.first[index],
      last: boxes.last[index],
      count: boxes.count[index],
    }),
    links: (open) => linksOf({ edgesByBox: meetings().byBox, boxes, boxItem, shownFor, tailOf, headOf, pathOf }, open),
    hooksOf: (id) => nodes.hooks[id].map(decode.hook),
    savedOf: (id) => nodes.saved[id].map(decode.saved),
  };
}

/**
 * The arrows that are seen where the boxes in `open` are open: `{tail, head, edges, at}`, where `at` is the box whose
 * inside holds both ends.
 */
function linksOf(graph, open) {
  const links = [];
  for (let index = 0; index < graph.boxes.parent.length; index++) {
    if (!open.has(index) || !graph.pathOf(graph.boxItem(index)).every((around) => open.has(around))) continue;
    const found = new Map();
    for (const edge of graph.edgesByBox[index]) {
      const tail = graph.shownFor(graph.tailOf(edge), open);
      const head = graph.shownFor(graph.headOf(edge), open);
      const key = `${tail}>${head}`;
      if (!found.has(key)) found.set(key, { tail, head, edges: [], at: index });
      found.get(key).edges.push(edge);
    }
    links.push(...found.values());
  }
  return links;
}

function depthsOf(parents) {
  const depths = new Array(parents.length).fill(-1);
  for (let start = 0; start < parents.length; start++) {
    const way = [];
    let at = start;
    while (at >= 0 && depths[at] < 0) {
      way.push(at);
      at = parents[at];
    }
    let depth = at < 0 ? 0 : depths[at] + 1;
    while (way.length) depths[way.pop()] = depth++;
  }
  return depths;
}

/** Boxes, the deepest first. */
function byDepth(depths) {
  return depths.map((_, index) => index).sort((left, right) => depths[right] - depths[left]);
}

/**
 * Bytes that saved tensors keep alive, each storage once.
 *
 * @param {Object[]} saved
 */
export function bytesOf(saved) {
  const storages = new Map();
  let apart = 0;
  for (const each of saved) {
    if (each.storage === null) apart += each.nbytes ?? 0;
    else storages.set(each.storage, each.storage_nbytes ?? 0);
  }
  return [...storages.values()].reduce((total, bytes) => total + bytes, apart);
}

function edgeAt({ edges, roots }, edge, text) {
  const root = edge - edges.tail.length;
  if (root >= 0) {
    return { tail: null, slot: root, head: roots.node[root], input: roots.input[root], name: text(roots.name[root]) };
  }
  return {
    tail: edges.tail[edge],
    slot: edges.slot[edge],
    head: edges.head[edge],
    input: edges.input[edge],
    name: text(edges.name[edge]),
  };
}

function nodeAt({ nodes, sequence0, scalar }, id, decode) {
  const { text } = decode;
  return {
    id,
    name: text(nodes.name[id]),
    kind: text(nodes.kind[id]),
    // Of a computation on single numbers nobody read torch's counter: the column says the order alone.
    sequence: scalar || nodes.sequence[id] < 0 ? null : sequence0 + nodes.sequence[id],
    module: text(nodes.module[id]),
    variable: text(nodes.variable[id]),
    aliases: nodes.aliases[id].map(text),
    file: text(nodes.file[id]),
    line: nodes.line[id],
    function: text(nodes.function[id]),
    call: text(nodes.call[id]),
    rule: text(nodes.rule[id]),
    metas: nodes.metas[id].map(text),
    saved: nodes.saved[id].map((row, index) => ({ ...decode.saved(row), version: nodes.versions[id][index] ?? null })),
    made: nodes.made[id].map(decode.stats),
    hooks: nodes.hooks[id].map(decode.hook),
    metadata: nodes.metadata[id].map(([key, value]) => [text(key), value]),
  };
}
