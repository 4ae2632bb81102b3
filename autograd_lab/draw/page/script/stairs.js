/**
 * The memory that saved tensors keep alive, step by step.
 *
 * Relies on nothing. A backward lets go of what a node saved as soon as it has run (unless the graph is retained), and a
 * storage is free when the last node that holds it has. What a parameter or a buffer of the model owns lives on whatever
 * happens: it is counted apart, as long as the graph needs it. The numbers are those of `Graph.saved_activation_nbytes` and `saved_parameter_nbytes`.
 */

/**
 * Returns bytes after each number of steps, and what is held: `{bytes, until, parameter, saved}`, the largest first and
 * activations before parameters. `saved` says at which nodes: `[{node, place}]`.
 *
 * @param {Object} graph A graph of the model.
 * @param {function(number): number} until A node -> the time at which it lets go.
 * @param {number} length How many steps there are.
 * @returns {{activations: Float64Array, parameters: Float64Array, held: Object[]}}
 */
export function stairs(graph, until, length) {
  const held = [...storages(graph, until)];
  held.sort((one, other) => one.parameter - other.parameter || other.bytes - one.bytes);
  const bytes = { activations: new Float64Array(length + 1), parameters: new Float64Array(length + 1) };
  for (const each of held) {
    const kind = bytes[each.parameter ? "parameters" : "activations"];
    kind[0] += each.bytes;
    if (each.until <= length) kind[each.until] -= each.bytes;
  }
  for (const kind of Object.values(bytes)) {
    for (let time = 1; time <= length; time += 1) kind[time] += kind[time - 1];
  }
  return { ...bytes, held };
}

/** What is held, each storage once; a tensor without a single storage by itself. */
function storages(graph, until) {
  const known = new Map();
  for (let node = 0; node < graph.nodeCount; node += 1) {
    graph.savedOf(node).forEach((each, place) => {
      const apart = each.storage === null;
      const bytes = (apart ? each.nbytes : each.storage_nbytes) ?? 0;
      if (bytes === 0) return;
      const parameter = each.owner !== null;
      const key = apart ? `${node}/${place}` : `${each.storage} ${parameter}`;
      if (!known.has(key)) known.set(key, { bytes, until: 0, parameter, saved: [] });
      const found = known.get(key);
      found.until = Math.max(found.until, until(node));
      found.saved.push({ node, place });
    });
  }
  return known.values();
}
