# slipway_proto(<name> ROOT dir [SERVICES] PROTOS ..): messages, and with SERVICES the gRPC stubs,
# of the given files as one static library slipway::<name>. Paths are relative to ROOT, which is
# also the import root. DEPS are proto libraries that the files import.
function(slipway_proto name)
  cmake_parse_arguments(ARG "SERVICES" "ROOT" "PROTOS;DEPS;IMPORTS" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out})
  set(imports -I ${ARG_ROOT})
  foreach(dir ${ARG_IMPORTS})
    list(APPEND imports -I ${dir})
  endforeach()
  get_target_property(grpc_plugin gRPC::grpc_cpp_plugin LOCATION)
  set(sources)
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(command protobuf::protoc ${imports} --cpp_out=${out})
    if(ARG_SERVICES)
      list(APPEND generated ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      list(APPEND command --grpc_out=${out} --plugin=protoc-gen-grpc=${grpc_plugin})
    endif()
    add_custom_command(OUTPUT ${generated} COMMAND ${command} ${ARG_ROOT}/${proto}
      DEPENDS ${ARG_ROOT}/${proto} VERBATIM COMMENT "protoc ${proto}")
    list(APPEND sources ${generated})
  endforeach()
  add_library(slipway_${name} STATIC ${sources})
  # Each file of generated messages has these two static names, which a unity build makes unique;
  # the header that has members of those names comes first.
  slipway_compile_together(slipway_${name} 5 OFF)
  set_target_properties(slipway_${name} PROPERTIES
    UNITY_BUILD_UNIQUE_ID SLIPWAY_FILE_ID
    UNITY_BUILD_CODE_BEFORE_INCLUDE "#include <google/protobuf/generated_message_reflection.h>
#define SLIPWAY_JOIN_(a, b) a##b
#define SLIPWAY_JOIN(a, b) SLIPWAY_JOIN_(a, b)
#define schemas SLIPWAY_JOIN(schemas_, SLIPWAY_FILE_ID)
#define file_default_instances SLIPWAY_JOIN(file_default_instances_, SLIPWAY_FILE_ID)"
    UNITY_BUILD_CODE_AFTER_INCLUDE "#undef schemas
#undef file_default_instances
#undef SLIPWAY_JOIN
#undef SLIPWAY_JOIN_")
  target_include_directories(slipway_${name} SYSTEM PUBLIC ${out})
  # Generated code is plain field by field: -O1 halves what it takes to compile.
  target_compile_options(slipway_${name} PRIVATE -w $<$<CONFIG:RelWithDebInfo>:-O1>)
  target_link_libraries(slipway_${name} PUBLIC ${ARG_DEPS} protobuf::libprotobuf)
  if(ARG_SERVICES)
    target_link_libraries(slipway_${name} PUBLIC gRPC::grpc++)
  endif()
  add_library(slipway::${name} ALIAS slipway_${name})
endfunction()
