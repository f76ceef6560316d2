"""The sandboxed child: who builds it, and the lines it answers with. Cold."""
