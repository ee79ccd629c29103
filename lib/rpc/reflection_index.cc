#include "lib/rpc/reflection_index.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/error_info.pb.h"

namespace slipway::rpc {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;

constexpr char kGoogle[] = ".google.rpc.";

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

absl::Status NotFound(absl::string_view what) {
  return base::Error(absl::StatusCode::kNotFound, "DESCRIPTOR_NOT_FOUND",
                     absl::StrCat(what, " is not known to this server"));
}

ReflectionIndex::Files WithImports(const FileDescriptor& file) {
  std::vector<const FileDescriptor*> pending = {&file};
  std::set<const FileDescriptor*> seen = {&file};
  ReflectionIndex::Files files;
  for (size_t i = 0; i < pending.size(); ++i) {
    google::protobuf::FileDescriptorProto proto;
    pending[i]->CopyTo(&proto);
    pending[i]->CopyJsonNameTo(&proto);  // Else clients show fields in another case than JSON has.
    files.push_back(proto.SerializeAsString());
    for (int j = 0; j < pending[i]->dependency_count(); ++j) {
      const FileDescriptor* import = pending[i]->dependency(j);
      if (seen.insert(import).second) pending.push_back(import);
    }
  }
  return files;
}

// The type that details of errors have on the wire, see error_info.proto: clients look it up to
// show them, whether the googleapis of this machine have it or not.
ReflectionIndex::Files ErrorInfoFile() {
  const FileDescriptor& own = *v1::ErrorInfo::descriptor()->file();
  google::protobuf::FileDescriptorProto proto;
  own.CopyTo(&proto);
  own.CopyJsonNameTo(&proto);
  proto.set_name("google/rpc/error_info.proto");
  proto.set_package("google.rpc");
  for (auto& field : *proto.mutable_message_type(0)->mutable_field()) {
    if (!field.has_type_name()) continue;
    field.set_type_name(
        absl::StrReplaceAll(field.type_name(), {{absl::StrCat(".", own.package(), "."), kGoogle}}));
  }
  return {proto.SerializeAsString()};
}

absl::StatusOr<const Descriptor*> FindType(const std::string& type) {
  const Descriptor* descriptor = Pool().FindMessageTypeByName(type);
  if (descriptor == nullptr) return NotFound(absl::StrCat("message type '", type, "'"));
  return descriptor;
}

}  // namespace

absl::StatusOr<ReflectionIndex> ReflectionIndex::Make(std::vector<std::string> service_names) {
  ReflectionIndex index;
  for (const std::string& name : service_names) {
    if (Pool().FindServiceByName(name) == nullptr) {
      return base::Error(absl::StatusCode::kInvalidArgument, "SERVICE_UNKNOWN",
                         absl::StrCat("service '", name, "' is not linked into this program"),
                         {{"service", name}});
    }
    index.AddService(name);
  }
  return index;
}

void ReflectionIndex::AddService(const std::string& name) {
  const auto place = std::lower_bound(service_names_.begin(), service_names_.end(), name);
  if (place == service_names_.end() || *place != name) service_names_.insert(place, name);
}

absl::StatusOr<ReflectionIndex::Files> ReflectionIndex::FileByName(const std::string& name) const {
  const FileDescriptor* file = Pool().FindFileByName(name);
  if (file == nullptr) return NotFound(absl::StrCat("file '", name, "'"));
  return WithImports(*file);
}

absl::StatusOr<ReflectionIndex::Files> ReflectionIndex::FileOfSymbol(
    const std::string& symbol) const {
  const FileDescriptor* file = Pool().FindFileContainingSymbol(symbol);
  if (file == nullptr && symbol == "google.rpc.ErrorInfo") return ErrorInfoFile();
  if (file == nullptr) return NotFound(absl::StrCat("symbol '", symbol, "'"));
  return WithImports(*file);
}

absl::StatusOr<ReflectionIndex::Files> ReflectionIndex::FileOfExtension(const std::string& type,
                                                                        int32_t number) const {
  ASSIGN_OR_RETURN(const Descriptor* descriptor, FindType(type));
  const FieldDescriptor* extension = Pool().FindExtensionByNumber(descriptor, number);
  if (extension == nullptr) return NotFound(absl::StrCat("extension ", number, " of ", type));
  return WithImports(*extension->file());
}

absl::StatusOr<std::vector<int32_t>> ReflectionIndex::ExtensionNumbers(
    const std::string& type) const {
  ASSIGN_OR_RETURN(const Descriptor* descriptor, FindType(type));
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(descriptor, &extensions);
  std::vector<int32_t> numbers;
  for (const FieldDescriptor* extension : extensions) numbers.push_back(extension->number());
  return numbers;
}

}  // namespace slipway::rpc
