/*
 * cmocka and the headers that it wants before it; what all unit tests share.
 */
#ifndef METAWARD_TESTS_UNIT_H
#define METAWARD_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define UUID "d9f7c1a0-1b2c-4d3e-8f90-0123456789ab"

#endif
