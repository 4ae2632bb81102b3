"""Pictures and traces to text: dot, Mermaid, Perfetto."""
