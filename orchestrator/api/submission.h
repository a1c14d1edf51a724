/* What comes with the text of a spec when it is submitted: values of its params, and the devices over
   which `each` may go. */
#ifndef ORCHESTRATOR_API_SUBMISSION_H
#define ORCHESTRATOR_API_SUBMISSION_H

#include "orchestrator/api/job.h"

#define SUBMISSION_TYPE "application/vnd.asterism.submission+json"

enum { SUBMISSION_PARAMS_MAX = 256 };

/* The devices that are known now; into the submission's arena. Nothing if no `each` stands in the text:
   most specs need none, and there may be thousands. Of the loop's thread. */
void submission_add_devices(struct api *api, struct job_submit *submit);
/* {"spec": TEXT, "params": {NAME: VALUE…}}: takes it apart; *ret_text is the spec's. ERR_INVALID with
   the reason. Of any thread. */
enum err submission_open(struct job_submit *submit, struct str *ret_text, struct reason *reason);

#endif
