"""Code in C and Rust: Graphviz and the fast layout, run in a process of their own, and the fonts that they need."""
