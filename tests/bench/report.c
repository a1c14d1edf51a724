/* One line of JSON a figure, and the arithmetic of figures. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "tests/bench/bench.h"

void figure_floor(struct figure *figure, const char *name, double value)
{
    CHECK(figure->floors_count < FIGURE_FLOORS_MAX);
    figure->floors[figure->floors_count++] = (struct figure_floor){ name, value };
}

void figure_report(struct bench *bench, const struct figure *figure)
{
    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"floor\":{", figure->name,
           figure->value, figure->unit);
    for (size_t i = 0; i < figure->floors_count; i++) {
        printf("%s\"%s\":%.6g", i == 0 ? "" : ",", figure->floors[i].name, figure->floors[i].value);
    }
    printf("}");
    if (figure->target > 0) {
        double machine = figure->machine > 0 ? figure->machine : 1;
        double ratio = figure->kind == FIGURE_RATE ? figure->value / figure->target
                                                   : figure->target / figure->value;
        bool below = !(ratio / machine >= 0.5); /* a value that is no number fails */
        printf(",\"target\":%.6g,\"ratio\":%.3g,\"ok\":%s,\"machine\":%.3g,\"passed\":%s",
               figure->target, ratio, ratio >= 1 ? "true" : "false", machine,
               below ? "false" : "true");
        bench->below_half += below;
    }
    printf("}\n");
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double percentile(double *values, size_t count, double part)
{
    CHECK(count > 0);
    qsort(values, count, sizeof values[0], compare);
    size_t at = (size_t)(part * (double)count);
    return values[at < count ? at : count - 1];
}

double median(double *values, size_t count)
{
    return percentile(values, count, 0.5);
}
