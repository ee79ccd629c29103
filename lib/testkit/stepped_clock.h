#pragma once

#include <chrono>

// A library that comes before the C library, because a test links it or by LD_PRELOAD, and gives
// the process a wall clock that jumps. Who waits for a moment of the wall clock waits as the kernel
// has it: a clock set forward ends the wait, one that is set back makes it longer. Monotonic
// clocks, and who waits by them, are not touched.
//
// A program that is started with it finds how far its clock is ahead of the machine's in a file,
// named as the program is, in the directory SLIPWAY_CLOCKS: nanoseconds in eight bytes that may
// change at any moment. Eight more bytes each are the least and the most that it was ahead when it
// looked at its clock. Without the file it has the machine's clock.
namespace slipway::testkit {

void SetWallClockAhead(std::chrono::nanoseconds ahead);

}  // namespace slipway::testkit
