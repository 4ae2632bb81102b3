/**
 * The page's data, decoded: what every part of the page asks for what it shows.
 *
 * Relies on `graph.js`, `trace.js` and `decode.js`. Promises to change nothing of the data and to touch no document;
 * what is costly is worked out when it is first asked for, and kept.
 */

import { createDecoder } from "./decode.js";
import { createGraph } from "./graph.js";
import { createTrace } from "./trace.js";

/**
 * Returns the model of a page's data.
 *
 * @param {Object} data As `data.py` describes it.
 * @returns {{graphs: Object[], traces: Object[], graphOf: function, traceAt: function, text: function, source:
 * function,
 *   addTrace: function}}
 */
export function createModel(data) {
  const text = (index) => (index === null || index === undefined || index < 0 ? null : data.strings[index]);
  const decode = createDecoder(data.rows, text);
  const graphs = data.graphs.map((columns) => createGraph(columns, decode));
  const traces = data.traces.map((columns) => createTrace(columns, graphs[columns.graph], decode));

  return {
    graphs,
    traces,
    text,
    /** The graph that a state shows. */
    graphOf: (state) => graphs[state.trace === null ? state.graph : traces[state.trace].graphIndex],
    /** The trace that a state shows, or null. */
    traceAt: (state) => (state.trace === null ? null : traces[state.trace]),
    /** The code around a line: `{path, first, lines, line}`, or null where the file wasn't there to read. */
    source: (path, line) => sourceOf(data.files, text, path, line),
    /** Takes in one more trace, and its graph where that is new; returns its index. */
    addTrace(columns, graphColumns = null) {
      if (graphColumns) graphs.push(createGraph(graphColumns, decode));
      traces.push(createTrace(columns, graphs[columns.graph], decode));
      return traces.length - 1;
    },
  };
}

function sourceOf(files, text, path, line) {
  for (const file of files) {
    const last = file.first + file.lines.length - 1;
    if (text(file.path) === path && file.first <= line && line <= last) {
      return { path, first: file.first, lines: file.lines, line };
    }
  }
  return null;
}
