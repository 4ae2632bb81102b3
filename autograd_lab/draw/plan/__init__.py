"""What is shown as one: modules, and blocks that are alike. Pictures and tables show the same plan."""
