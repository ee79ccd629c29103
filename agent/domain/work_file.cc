#include "agent/domain/work_file.h"

#include "nlohmann/json.hpp"

#include "agent/domain/errors.h"

namespace slipway::agent {

using Json = nlohmann::json;

std::string EncodeWorkFile(const WorkFile& work) {
  const WriteOrder& order = work.order;
  const Json json = {{"commit", work.commit},
                     {"title", order.title},
                     {"description", order.description},
                     {"acceptance", order.acceptance},
                     {"allowed_paths", order.allowed_paths},
                     {"context_paths", order.context_paths},
                     {"feedback", order.feedback},
                     {"guidance", order.guidance},
                     {"backend", order.backend},
                     {"role", order.role},
                     {"repair_rounds_max", order.repair_rounds_max},
                     {"intent", order.intent},
                     {"findings", work.findings}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<WorkFile> DecodeWorkFile(absl::string_view text) {
  try {
    const Json json = Json::parse(text.begin(), text.end());
    WorkFile work;
    json.at("commit").get_to(work.commit);
    json.at("title").get_to(work.order.title);
    json.at("description").get_to(work.order.description);
    json.at("acceptance").get_to(work.order.acceptance);
    json.at("allowed_paths").get_to(work.order.allowed_paths);
    json.at("context_paths").get_to(work.order.context_paths);
    json.at("feedback").get_to(work.order.feedback);
    json.at("guidance").get_to(work.order.guidance);
    json.at("backend").get_to(work.order.backend);
    json.at("role").get_to(work.order.role);
    json.at("repair_rounds_max").get_to(work.order.repair_rounds_max);
    json.at("intent").get_to(work.order.intent);
    json.at("findings").get_to(work.findings);
    return work;
  } catch (const Json::exception& error) {
    return WorkFileInvalid(error.what());
  }
}

}  // namespace slipway::agent
