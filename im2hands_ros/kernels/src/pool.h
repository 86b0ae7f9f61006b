// Threads that sleep until there is work. Work may be split again inside of work: whoever waits works on, and
// idle threads help wherever something is left.
#pragma once

namespace im2hands {

// How many threads work from now on, the calling one among them.
void set_threads(int count);
int threads();

using Task = void (*)(void* context, int number);

// task(context, 0..count-1), in any order and on any of the threads; returns when all are done.
void in_parallel(int count, Task task, void* context);

template <class Work>
void in_parallel(int count, Work&& work) {
  in_parallel(
      count, [](void* context, int number) { (*static_cast<Work*>(context))(number); }, const_cast<void*>(static_cast<const void*>(&work)));
}

}  // namespace im2hands
