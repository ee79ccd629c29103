# The target kinds of this project. Sources are always named, never globbed.
#
# Parsing the headers of gRPC, Abseil and the JSON library is most of the time of a build, so the
# sources of a target are compiled several at a time. Names in an anonymous namespace must therefore
# be unique within a target; a source that cannot keep that is named in ALONE, and a target of which
# that holds for most is marked SEPARATE.
option(SLIPWAY_TOGETHER "Compile several sources of a target at a time; OFF for clang-tidy." ON)
function(slipway_compile_together target batch separate)
  if(separate OR NOT SLIPWAY_TOGETHER)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
  # GCC takes a source that is included for a header, of which it would be right to warn.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  if(ARGN)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

# slipway_compile_sooner(): for a directory whose code waits for others and not for the processor, a
# release is optimised less, which takes a tenth off its compilation.
macro(slipway_compile_sooner)
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-O1)
  endif()
endmacro()

# slipway_library(<name> [HEADERS ..] [SOURCES ..] [DEPS ..] [ALONE ..] [SEPARATE])
# One library per layer or module. `<name>` becomes target slipway_<name> with alias
# slipway::<name>; files are relative to the calling directory; includes are from the root.
# Every header is compiled alone by the target all_verify_interface_header_sets. A library that
# needs the test kit exists only where tests are built.
function(slipway_library name)
  cmake_parse_arguments(ARG "SEPARATE" "" "HEADERS;SOURCES;DEPS;ALONE" ${ARGN})
  if(NOT SLIPWAY_TESTS AND "${ARG_DEPS}" MATCHES "slipway::testkit|GTest::")
    return()
  endif()
  set(target slipway_${name})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_compile_options(${target} PRIVATE ${SLIPWAY_WARNINGS})
    slipway_compile_together(${target} 16 ${ARG_SEPARATE} ${ARG_ALONE})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  if(ARG_HEADERS)
    target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${ARG_HEADERS})
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
  target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} ${scope} ${ARG_DEPS})
  add_library(slipway::${name} ALIAS ${target})
endfunction()

# slipway_binary(<name> SOURCES .. DEPS ..): an executable in build/bin; the target `programs` builds
# all of them and no test.
add_custom_target(programs)
function(slipway_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  add_dependencies(programs ${name})
  target_compile_options(${name} PRIVATE ${SLIPWAY_WARNINGS})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# slipway_test(<name> SOURCES .. DEPS .. [ALONE ..] [SEPARATE] [LABELS ..] [TIMEOUT seconds] [ENVIRONMENT K=V ..])
# A GoogleTest program; each of its tests is a ctest entry. Compiled without optimisation: a test
# spends its time in what it tests.
function(slipway_test name)
  if(NOT SLIPWAY_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "SEPARATE" "TIMEOUT" "SOURCES;DEPS;ALONE;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_options(${name} PRIVATE ${SLIPWAY_WARNINGS} -O0)
  slipway_compile_together(${name} 4 ${ARG_SEPARATE} ${ARG_ALONE})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} slipway::testkit GTest::gmock_main)
  set(properties TIMEOUT ${ARG_TIMEOUT})
  foreach(property LABELS ENVIRONMENT)
    if(ARG_${property})
      list(APPEND properties ${property} "${ARG_${property}}")
    endif()
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${name}/
    PROPERTIES ${properties})
endfunction()

# slipway_fuzz(<name> SOURCES .. DEPS .. SEEDS <script>): a libFuzzer target. With SLIPWAY_FUZZ it
# becomes build/fuzz/<name>_fuzz, which `make fuzz` runs; otherwise a test runs it over its seeds and
# copies of them. The script writes the seeds of all targets beside it to fuzz_corpus/<name>:
# make_corpus.py SOURCE_DIRECTORY OUTPUT_DIRECTORY.
add_custom_target(fuzzers)
function(slipway_fuzz name)
  if(NOT SLIPWAY_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SEEDS" "SOURCES;DEPS" ${ARGN})
  set(seeds ${CMAKE_BINARY_DIR}/fuzz_corpus/${name}.stamp)
  add_custom_command(OUTPUT ${seeds}
    COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SEEDS} ${CMAKE_SOURCE_DIR}
            ${CMAKE_BINARY_DIR}/fuzz_corpus
    COMMAND ${CMAKE_COMMAND} -E touch ${seeds}
    DEPENDS ${ARG_SEEDS} VERBATIM)
  add_custom_target(${name}_seeds DEPENDS ${seeds})
  if(SLIPWAY_FUZZ)
    set(target ${name}_fuzz)
    add_executable(${target} ${ARG_SOURCES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${target})
  else()
    set(target ${name}_fuzz_test)
    add_executable(${target} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/lib/testkit/fuzz_smoke_main.cc)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${target} COMMAND ${target} ${CMAKE_BINARY_DIR}/fuzz_corpus/${name})
    set_tests_properties(${target} PROPERTIES TIMEOUT 120)
  endif()
  add_dependencies(${target} ${name}_seeds)
  target_compile_options(${target} PRIVATE ${SLIPWAY_WARNINGS})
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS} slipway::testkit)
endfunction()
