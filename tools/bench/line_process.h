#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/process.h"

namespace slipway::bench {

// A child that tells what happens to it in lines, of which the first words are counted. Its
// standard input ends with the object, and the child is killed. Thread-safe, but for Signal.
class LineProcess final {
 public:
  static absl::StatusOr<std::unique_ptr<LineProcess>> Start(
      std::vector<std::string> argv, std::map<std::string, std::string> environment);
  ~LineProcess();

  void Signal(int signal) { process_.Signal(signal); }

  // Waits until lines that begin with one of the words came `count` times; DEADLINE_EXCEEDED after
  // a minute.
  absl::Status WaitFor(const std::vector<std::string>& words, int count);
  int Count(const std::vector<std::string>& words);

 private:
  LineProcess(base::Process process, base::UniqueFd in, base::UniqueFd out);
  void Read();
  int CountLocked(const std::vector<std::string>& words) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Process process_;
  const base::UniqueFd in_;
  const base::UniqueFd out_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, int> said_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

}  // namespace slipway::bench
