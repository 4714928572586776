/*
 * A table for a person to read: columns as wide as their widest word, numbers to the right.
 */
#ifndef METAWARD_CTL_TABLE_H
#define METAWARD_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_SIZE   320

struct table {
    size_t columns;
    const char *const *heads; /* a head that starts with '>' is over numbers */
    char (*cells)[TABLE_CELL_SIZE];
    size_t used; /* cells */
};

/** Begin a table with these heads. */
void table_begin(struct table *table, const char *const *heads, size_t columns);

/** The next cell, printf-like, row by row. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Print it and let it go.
 *
 * @param width cut lines behind so many characters; 0: don't
 * @param end   what ends a line
 */
void table_print(struct table *table, FILE *to, size_t width, const char *end);

#endif
