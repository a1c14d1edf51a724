/* The YAML 1.2 core schema: what a plain scalar is. yes, no, on and 1.2.3 are text. */
#ifndef ORCHESTRATOR_SPEC_SPEC_YAML_CORE_H
#define ORCHESTRATOR_SPEC_SPEC_YAML_CORE_H

#include "orchestrator/spec/spec_tree.h"

enum spec_kind spec_yaml_core_kind(struct str plain);

#endif
