// Runs a fuzz target over its seeds, their beginnings and a few thousand copies with changed bytes:
// the same for every run, with any compiler. `make fuzz` searches for more.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kBeginnings = 40;
constexpr int kCopies = 100;
constexpr int kChangesMax = 6;

int runs = 0;

void RunOn(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  ++runs;
}

void RunAround(const std::string& seed) {
  RunOn(seed);
  for (int i = 0; i < kBeginnings; ++i) {
    RunOn(seed.substr(0, seed.size() * static_cast<size_t>(i) / kBeginnings));
  }
  std::mt19937 random(static_cast<unsigned>(seed.size()));
  for (int i = 0; i < kCopies && !seed.empty(); ++i) {
    std::string copy = seed;
    for (unsigned change = 0; change < 1 + random() % kChangesMax; ++change) {
      copy[random() % copy.size()] = static_cast<char>(random() % 256);
    }
    RunOn(copy);
  }
}

}  // namespace

// Takes the directory of the seeds.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s SEEDS\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    RunAround(std::string(std::istreambuf_iterator<char>(file), {}));
  }
  std::printf("%d inputs around %zu seeds\n", runs, paths.size());
  return runs > 0 ? 0 : 1;
}
