/*
 * See table.h.
 */
#include "ctl/table.h"

#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void table_begin(struct table *table, const char *const *heads, size_t columns)
{
    *table = (struct table){.columns = columns, .heads = heads};
    for (size_t i = 0; i < columns; i++)
        table_cell(table, "%s", heads[i] + (heads[i][0] == '>'));
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list arguments;
    if ((table->used & (table->used - 1)) == 0) { /* full, or empty */
        table->cells = reallocarray(table->cells, table->used == 0 ? 1 : 2 * table->used, TABLE_CELL_SIZE);
        if (table->cells == NULL)
            err(1, NULL);
    }
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is the line above */
    (void)vsnprintf(table->cells[table->used++], TABLE_CELL_SIZE, format, arguments);
    va_end(arguments);
}

static void print_row(const struct table *table, const int *widths, size_t row, char *line, size_t size)
{
    size_t at = 0;
    for (size_t column = 0; column < table->columns && at < size; column++) {
        const char *cell = table->cells[row * table->columns + column];
        bool right = table->heads[column][0] == '>', last = column + 1 == table->columns;
        int written = right ? snprintf(line + at, size - at, "%*s", widths[column], cell)
                            : snprintf(line + at, size - at, "%-*s", last ? 0 : widths[column], cell);
        at += (size_t)written;
        if (!last && at < size)
            at += (size_t)snprintf(line + at, size - at, "  ");
    }
    for (at = strlen(line); at > 0 && line[at - 1] == ' ';)
        line[--at] = '\0';
}

void table_print(struct table *table, FILE *to, size_t width, const char *end)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    static char line[4096];
    for (size_t i = 0; i < table->used; i++) {
        int length = (int)strlen(table->cells[i]);
        if (length > widths[i % table->columns])
            widths[i % table->columns] = length;
    }
    for (size_t row = 0; row < table->used / table->columns; row++) {
        print_row(table, widths, row, line, sizeof(line));
        if (width != 0 && strlen(line) > width)
            line[width] = '\0';
        (void)fprintf(to, "%s%s", line, end);
    }
    free(table->cells);
    table->cells = NULL;
}
