/*
 * The steps' texts. See steps.h for the theory.
 */
#include "ipc/steps.h"

#include <stddef.h>
#include <string.h>

static const struct step_text {
    int status;
    const char *what;
    const char *advice;
} steps[] = {
#define STEP(id, status, what, advice) {status, what, advice},
    METAWARD_STEPS(STEP)
#undef STEP
};

/* @return NULL where there is no such step */
static const struct step_text *find(int number)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].status == number)
            return &steps[i];
    }
    return NULL;
}

bool step_known(int number)
{
    return find(number) != NULL;
}

const char *step_what(int number)
{
    const struct step_text *step = find(number);
    return step != NULL ? step->what : "do something unknown";
}

const char *step_advice(int number)
{
    const struct step_text *step = find(number);
    return step != NULL ? step->advice : "report this as a bug";
}

const char *errno_name(int number)
{
    if (number == 0)
        return "no error";
    const char *name = strerrorname_np(number);
    return name != NULL ? name : "E?";
}
