#pragma once

#include <grpcpp/support/server_callback.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "lib/rpc/reflection_index.h"

namespace slipway::rpc {

// The names of one version of the reflection protocol; the versions differ in nothing else.
struct ReflectionV1 {
  using Service = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};
struct ReflectionV1Alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

// The answer to one reflection request; an unanswerable one is answered with an error_response,
// which does not end the stream.
template <typename Version>
typename Version::Response AnswerReflection(const ReflectionIndex& index,
                                            const typename Version::Request& request) {
  using Request = typename Version::Request;
  typename Version::Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const auto refuse = [&](const absl::Status& status) {
    response.mutable_error_response()->set_error_code(static_cast<int>(status.code()));
    response.mutable_error_response()->set_error_message(std::string(status.message()));
  };
  const auto answer_files = [&](absl::StatusOr<ReflectionIndex::Files> files) {
    if (!files.ok()) return refuse(files.status());
    for (std::string& file : *files) {
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(file));
    }
  };
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      answer_files(index.FileByName(request.file_by_filename()));
      break;
    case Request::kFileContainingSymbol:
      answer_files(index.FileOfSymbol(request.file_containing_symbol()));
      break;
    case Request::kFileContainingExtension:
      answer_files(index.FileOfExtension(request.file_containing_extension().containing_type(),
                                         request.file_containing_extension().extension_number()));
      break;
    case Request::kAllExtensionNumbersOfType: {
      const auto numbers = index.ExtensionNumbers(request.all_extension_numbers_of_type());
      if (!numbers.ok()) {
        refuse(numbers.status());
        break;
      }
      auto& found = *response.mutable_all_extension_numbers_response();
      found.set_base_type_name(request.all_extension_numbers_of_type());
      found.mutable_extension_number()->Add(numbers->begin(), numbers->end());
      break;
    }
    case Request::kListServices:
      response.mutable_list_services_response();  // Present even when the list is empty.
      for (const std::string& name : index.service_names()) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      refuse(absl::InvalidArgumentError("set one of message_request"));
      break;
  }
  return response;
}

// Serves one version of gRPC server reflection. `index` must outlive the service.
template <typename Version>
class ReflectionService final : public Version::Service::CallbackService {
 public:
  explicit ReflectionService(const ReflectionIndex& index) : index_(index) {}

  grpc::ServerBidiReactor<typename Version::Request, typename Version::Response>*
  ServerReflectionInfo(grpc::CallbackServerContext*) override {
    return new Reactor(index_);
  }

 private:
  // Reads and writes in turn, so that neither message changes under a pending operation.
  class Reactor final
      : public grpc::ServerBidiReactor<typename Version::Request, typename Version::Response> {
   public:
    explicit Reactor(const ReflectionIndex& index) : index_(index) { this->StartRead(&request_); }

    void OnReadDone(bool ok) override {
      if (!ok) return this->Finish(grpc::Status::OK);
      response_ = AnswerReflection<Version>(index_, request_);
      this->StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return this->Finish(grpc::Status::CANCELLED);
      this->StartRead(&request_);
    }
    void OnDone() override { delete this; }

   private:
    const ReflectionIndex& index_;
    typename Version::Request request_;
    typename Version::Response response_;
  };

  const ReflectionIndex& index_;
};

}  // namespace slipway::rpc
