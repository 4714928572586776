/*
 * Doubly linked lists whose nodes lie inside what they link.
 *
 * An empty list is all zeros, so tables of lists need no initialisation and their pages stay untouched until
 * used.
 */
#ifndef METAWARD_UNPRIV_WORKER_LIST_H
#define METAWARD_UNPRIV_WORKER_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *previous;
};

struct list {
    struct list_node *first;
    struct list_node *last;
};

/** The structure of `type` whose `member` is the node. */
#define list_owner(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline bool list_empty(const struct list *list)
{
    return list->first == NULL;
}

/** Put a node that is in no list at the end. */
static inline void list_append(struct list *list, struct list_node *node)
{
    node->next = NULL;
    node->previous = list->last;
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
}

/** Put a node that is in no list at the front. */
static inline void list_prepend(struct list *list, struct list_node *node)
{
    node->previous = NULL;
    node->next = list->first;
    if (list->first)
        list->first->previous = node;
    else
        list->last = node;
    list->first = node;
}

/** Take a node out of the list that it is in. */
static inline void list_remove(struct list *list, struct list_node *node)
{
    if (node->next)
        node->next->previous = node->previous;
    else
        list->last = node->previous;
    if (node->previous)
        node->previous->next = node->next;
    else
        list->first = node->next;
    node->next = NULL;
    node->previous = NULL;
}

#endif
