# Every third-party library in one place.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(Boost REQUIRED)

find_package(PkgConfig REQUIRED)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBGIT2 REQUIRED IMPORTED_TARGET libgit2)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)

if(SLIPWAY_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(SLIPWAY_BENCH)
  find_package(benchmark REQUIRED)
endif()

# google/rpc/*.proto: the error details that gRPC clients of every language understand.
find_path(GOOGLEAPIS_DIR google/rpc/error_details.proto
  PATHS /usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis
        /usr/share/gocode/src/github.com/googleapis/googleapis
  NO_DEFAULT_PATH REQUIRED)
# grpc/reflection/v1*/reflection.proto and grpc/health/v1/health.proto.
find_path(GRPC_PROTO_DIR grpc/reflection/v1/reflection.proto
  PATHS /usr/share/grpc-proto /usr/share/proto /usr/include NO_DEFAULT_PATH)
