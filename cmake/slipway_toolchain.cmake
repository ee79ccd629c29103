# Compiler flags that hold for every target, and the tools that make a build fast.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# One level of optimisation for day-to-day builds: -g1 keeps line numbers for stack traces at a
# quarter of the link time and disk of full debug information.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths below the checkout do not count, so that every clone and build directory shares a cache.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

# GCC collects its garbage often by default: with a gigabyte before it begins, a build takes a tenth
# less time, and a compiler process 1.3 GiB at most instead of 1.0.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param ggc-min-heapsize=1048576)
endif()

if(SLIPWAY_SANITIZE)
  add_compile_options(-fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SLIPWAY_SANITIZE})
  if(SLIPWAY_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # What it puts before each function, clang cannot put before the parts of a coroutine.
    add_compile_options(-fno-sanitize=function)
  endif()
  if(SLIPWAY_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# Coverage of every library, so that libFuzzer sees the way of an input through it.
if(SLIPWAY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Warnings of our own code are errors; generated code and headers of dependencies are exempt.
set(SLIPWAY_WARNINGS -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports false positives of these two inside the standard library and protobuf.
  list(APPEND SLIPWAY_WARNINGS -Wno-restrict -Wno-maybe-uninitialized)
endif()
