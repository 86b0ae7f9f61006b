#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace im2hands {
namespace {

// Work follows work within microseconds, and waking a thread takes longer: it looks for so long before it sleeps.
constexpr std::chrono::microseconds AWAKE(60);

// A number of tasks, on the stack of the thread that waits for them.
struct Job {
  Task task;
  void* context;
  int count, next = 0;
  std::atomic<int> done{0};
  std::exception_ptr failure = nullptr;
};

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether a condition came true before it is time to sleep.
template <class Condition>
bool soon(Condition condition) {
  auto end = std::chrono::steady_clock::now() + AWAKE;
  do {
    for (int i = 0; i < 32; ++i, pause())
      if (condition()) return true;
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

class Pool {
 public:
  const pid_t process = getpid();

  int helpers() const { return helpers_; }

  // Waking the threads would take longer than many a job: only where something changes.
  void resize(int helpers) {
    if (helpers == helpers_) return;
    std::unique_lock<std::mutex> lock(mutex_);
    helpers_ = helpers;
    while (started_ < helpers && start(started_)) ++started_;
    changed_.notify_all();
  }

  void run(Job& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    open_.push_back(&job);
    if (helpers_ && job.count > 1) {
      ++opened_;
      changed_.notify_all();
    }
    while (job.done != job.count)
      if (Job* more = left(&job))
        work(*more, lock);
      else
        wait(lock, [&] { return job.done == job.count; });
    open_.erase(std::remove(open_.begin(), open_.end(), &job), open_.end());
    if (job.failure) std::rethrow_exception(job.failure);
  }

 private:
  // One task of a job, the lock let go meanwhile.
  void work(Job& job, std::unique_lock<std::mutex>& lock) {
    int number = job.next++;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job.task(job.context, number);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) job.failure = failure;
    if (++job.done == job.count) changed_.notify_all();
  }

  // The newest job with tasks left, which an older one may wait for; none that is older than `oldest`.
  Job* left(const Job* oldest = nullptr) {
    for (auto job = open_.rbegin(); job != open_.rend(); ++job) {
      if ((*job)->next < (*job)->count) return *job;
      if (*job == oldest) break;
    }
    return nullptr;
  }

  // Until there is a new job or the condition holds; may return earlier.
  template <class Condition>
  void wait(std::unique_lock<std::mutex>& lock, Condition condition) {
    unsigned opened = opened_;
    lock.unlock();
    bool more = soon([&] { return opened_ != opened || condition(); });
    lock.lock();
    if (!more && opened_ == opened && !condition()) changed_.wait(lock);
  }

  void help(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (number >= helpers_)
        changed_.wait(lock);
      else if (Job* job = left())
        work(*job, lock);
      else
        wait(lock, [] { return false; });
    }
  }

  // Signals stay with the program's own threads. Without room for a thread the others do its work.
  bool start(int number) {
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    bool began = true;
    try {
      std::thread([this, number] { help(number); }).detach();
    } catch (const std::exception&) {
      began = false;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return began;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job*> open_;
  std::atomic<unsigned> opened_{0};  // jobs so far
  std::atomic<int> helpers_{0};
  int started_ = 0;
};

// Never destroyed: its threads end with the process. A forked process has none of them and gets its own.
Pool& pool() {
  static std::mutex mutex;
  static Pool* pool = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (!pool || pool->process != getpid()) pool = new Pool();
  return *pool;
}

}  // namespace

void set_threads(int count) { pool().resize(count - 1); }

int threads() { return pool().helpers() + 1; }

void in_parallel(int count, Task task, void* context) {
  Job job{task, context, count};
  pool().run(job);
}

}  // namespace im2hands
