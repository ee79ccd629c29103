#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace slipway::cli {

// `message` as the YAML that config::Parse reads back to an equal message. Unset fields are left
// out; an empty message is "{}". Configuration has no maps, bytes or floats; neither has this.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace slipway::cli
