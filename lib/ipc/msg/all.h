/*
 * lib/ipc/msg/all.h - every protocol, in the order of their ids.
 *
 * Layer: ipc (a table). No guard: lib/ipc/msg.h and msg.c include it several times.
 */
#include "lib/ipc/msg/master.def"
#include "lib/ipc/msg/cleanup.def"
#include "lib/ipc/msg/rewrite.def"
#include "lib/ipc/msg/qmgr.def"
#include "lib/ipc/msg/deliver.def"
#include "lib/ipc/msg/bounce.def"
#include "lib/ipc/msg/anvil.def"
#include "lib/ipc/msg/proxymap.def"
#include "lib/ipc/msg/dns.def"
#include "lib/ipc/msg/auth.def"
#include "lib/ipc/msg/authworker.def"
#include "lib/ipc/msg/submit.def"
#include "lib/ipc/msg/postman.def"
