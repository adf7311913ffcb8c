/*
 * worker_state.c
 *	  One flag in shared memory: the launcher is there.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "query/worker_state.h"

typedef struct WorkerState
{
	volatile bool running;
} WorkerState;

static WorkerState *worker_state = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
worker_state_request(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(WorkerState)));
}

static void
worker_state_startup(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	worker_state = ShmemInitStruct("elacsym worker state", sizeof(WorkerState), &found);
	if (!found)
		worker_state->running = false;
	LWLockRelease(AddinShmemInitLock);
}

void
elac_worker_state_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = worker_state_request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = worker_state_startup;
}

bool
elac_worker_is_running(void)
{
	return worker_state != NULL && worker_state->running;
}

void
elac_worker_set_running(bool running)
{
	if (worker_state != NULL)
		worker_state->running = running;
}
