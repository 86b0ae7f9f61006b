#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace im2hands {
namespace {

// A number of tasks, on the stack of the thread that waits for them.
struct Job {
  Task task;
  void* context;
  int count, next, done;
  std::exception_ptr failure;
};

class Pool {
 public:
  const pid_t process = getpid();

  void resize(int helpers) {
    std::unique_lock<std::mutex> lock(mutex_);
    helpers_ = helpers;
    while (started_ < helpers && start(started_)) ++started_;
    wake_.notify_all();
  }

  void run(Job& job) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (helpers_ && job.count > 1) {
      open_.push_back(&job);
      wake_.notify_all();
    }
    while (job.next < job.count) work(job, lock);
    finished_.wait(lock, [&] { return job.done == job.count; });
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
    if (++job.done == job.count) finished_.notify_all();
  }

  // The newest job comes first: an older one may wait for it.
  Job* left() {
    for (auto job = open_.rbegin(); job != open_.rend(); ++job)
      if ((*job)->next < (*job)->count) return *job;
    return nullptr;
  }

  void help(int number) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      Job* job = number < helpers_ ? left() : nullptr;
      if (job)
        work(*job, lock);
      else
        wake_.wait(lock);
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
  std::condition_variable wake_, finished_;
  std::vector<Job*> open_;
  int helpers_ = 0, started_ = 0;
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

void in_parallel(int count, Task task, void* context) {
  Job job{task, context, count, 0, 0, nullptr};
  pool().run(job);
}

}  // namespace im2hands
