/*
 * lib/base/banned.h - functions that do not compile here; included before every file by the build.
 *
 * Layer:    base (pure).
 * Security: unbounded copies, locale-dependent or hidden-state parsers, shells and predictable
 *           temporary names are refused by the compiler, not by review.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#undef strcpy
#define strcpy(...) BANNED_strcpy_is_not_allowed
#undef strcat
#define strcat(...) BANNED_strcat_is_not_allowed
#undef strncpy
#define strncpy(...) BANNED_strncpy_is_not_allowed
#undef strncat
#define strncat(...) BANNED_strncat_is_not_allowed
#undef sprintf
#define sprintf(...) BANNED_sprintf_is_not_allowed
#undef vsprintf
#define vsprintf(...) BANNED_vsprintf_is_not_allowed
#undef gets
#define gets(...) BANNED_gets_is_not_allowed
#undef strtok
#define strtok(...) BANNED_strtok_is_not_allowed
#undef tmpnam
#define tmpnam(...) BANNED_tmpnam_is_not_allowed
#undef mktemp
#define mktemp(...) BANNED_mktemp_is_not_allowed
#undef tempnam
#define tempnam(...) BANNED_tempnam_is_not_allowed
#undef system
#define system(...) BANNED_system_is_not_allowed
#undef popen
#define popen(...) BANNED_popen_is_not_allowed
#undef alloca
#define alloca(...) BANNED_alloca_is_not_allowed
#undef atoi
#define atoi(...) BANNED_atoi_is_not_allowed
#undef atol
#define atol(...) BANNED_atol_is_not_allowed
#undef atoll
#define atoll(...) BANNED_atoll_is_not_allowed
#undef atof
#define atof(...) BANNED_atof_is_not_allowed
#undef localtime
#define localtime(...) BANNED_localtime_is_not_allowed
#undef gmtime
#define gmtime(...) BANNED_gmtime_is_not_allowed
#undef ctime
#define ctime(...) BANNED_ctime_is_not_allowed
#undef asctime
#define asctime(...) BANNED_asctime_is_not_allowed
#undef ctime_r
#define ctime_r(...) BANNED_ctime_r_is_not_allowed
#undef asctime_r
#define asctime_r(...) BANNED_asctime_r_is_not_allowed
#undef rand
#define rand(...) BANNED_rand_is_not_allowed
#undef srand
#define srand(...) BANNED_srand_is_not_allowed

#endif
