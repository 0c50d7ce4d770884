/*
 * lib/deliver/deliver_head.h - the header lines that a delivery puts in front of a mail.
 *
 * Layer:     deliver (pure).
 * Ownership: OUT is the caller's; it grows up to its ceiling.
 * Errors:    -1: OUT is at its ceiling, and may hold a part.
 * Security:  header values are cleaned: no address can add a header field of its own.
 */
#ifndef DELIVER_DELIVER_HEAD_H
#define DELIVER_DELIVER_HEAD_H

#include "lib/base/buf.h"

/* Append the header lines that go in front of a mail in a mailbox: Return-Path, X-Original-To,
 * Delivered-To (when not empty). 0, or -1 at the ceiling. */
int deliver_head(struct buf *out, struct sv sender, struct sv original, struct sv delivered_to);

/* Its parts: Return-Path; the field NAME with an address. */
int deliver_return_path(struct buf *out, struct sv sender);
int deliver_address_field(struct buf *out, const char *name, struct sv address);

#endif
