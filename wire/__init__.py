"""What both sides share: messages and their checks, schema, signatures, files, kinds of things exchanged, pages."""
