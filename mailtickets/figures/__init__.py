"""The figures of a desk: periods, sums, tables, pictures. Reads the store's measures; changes nothing."""
