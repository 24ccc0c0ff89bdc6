"""An MCP server: tools by which an agent takes part, over HTTP at /mcp or on stdio by `arena mcp`."""
