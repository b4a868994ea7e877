/*
 * The numbers of x86-64 Linux: arguments and results of recorded system calls need no translation.
 * Linux: include/uapi/asm-generic/mman-common.h, mman.h, include/linux/mm.h, arch/x86/include/asm/page_64_types.h.
 */

/** Bytes of a page. */
export const PAGE_SIZE = 4096
/** Bytes of a huge page: what MAP_HUGETLB rounds to, and what an entry of a PMD table maps. Linux: HPAGE_PMD_SIZE. */
export const HUGE_PAGE_SIZE = 0x200000
/** Pages of it. Linux: HPAGE_PMD_NR. */
export const HUGE_PAGE_FRAMES = 512
/** The end, exclusive, of user addresses with four levels: the last page below 2^47 stays free. */
export const TASK_SIZE = 0x7ffffffff000
/** The end, exclusive, of the area that mmap without an address fills from the top: 128 MiB below TASK_SIZE are kept for the stack. */
export const MMAP_BASE = 0x7ffff7fff000
/** Where the heap of an address space begins until `setBrk`: where Linux puts programs, at two thirds. Linux: ELF_ET_DYN_BASE. */
export const HEAP_START = 0x555555555000
/** The lowest address that is given to a mmap without MAP_FIXED. Linux: vm.mmap_min_addr. */
export const MMAP_MIN_ADDRESS = 0x10000
/** What has to stay free below a VMA that grows down. Linux: stack_guard_gap. */
export const STACK_GUARD_GAP = 0x100000
/** How far a stack grows by faults. Linux: the usual RLIMIT_STACK. */
export const STACK_LIMIT = 0x800000

export const PROT_NONE = 0
export const PROT_READ = 1
export const PROT_WRITE = 2
export const PROT_EXEC = 4
export const PROT_SEM = 8
/** mprotect: from the start of the growsDown VMA on. */
export const PROT_GROWSDOWN = 0x1000000

export const MAP_SHARED = 0x1
export const MAP_PRIVATE = 0x2
export const MAP_SHARED_VALIDATE = 0x3
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
export const MAP_32BIT = 0x40
export const MAP_GROWSDOWN = 0x100
export const MAP_DENYWRITE = 0x800
export const MAP_EXECUTABLE = 0x1000
export const MAP_LOCKED = 0x2000
export const MAP_NORESERVE = 0x4000
export const MAP_POPULATE = 0x8000
export const MAP_NONBLOCK = 0x10000
export const MAP_STACK = 0x20000
export const MAP_HUGETLB = 0x40000
export const MAP_SYNC = 0x80000
export const MAP_FIXED_NOREPLACE = 0x100000

export const MREMAP_MAYMOVE = 1
export const MREMAP_FIXED = 2
export const MREMAP_DONTUNMAP = 4

export const MADV_NORMAL = 0
export const MADV_RANDOM = 1
export const MADV_SEQUENTIAL = 2
export const MADV_WILLNEED = 3
export const MADV_DONTNEED = 4
export const MADV_FREE = 8
export const MADV_REMOVE = 9
export const MADV_DONTFORK = 10
export const MADV_DOFORK = 11
export const MADV_MERGEABLE = 12
export const MADV_UNMERGEABLE = 13
export const MADV_HUGEPAGE = 14
export const MADV_NOHUGEPAGE = 15
export const MADV_DONTDUMP = 16
export const MADV_DODUMP = 17
export const MADV_WIPEONFORK = 18
export const MADV_KEEPONFORK = 19
export const MADV_COLD = 20
export const MADV_PAGEOUT = 21
export const MADV_POPULATE_READ = 22
export const MADV_POPULATE_WRITE = 23
export const MADV_DONTNEED_LOCKED = 24
export const MADV_COLLAPSE = 25

/** What `Userfaultfd.register` is told: pages that are not there. */
export const UFFDIO_REGISTER_MODE_MISSING = 1

/** `Vma.flags`: the bits of Linux's `vm_flags`, as a signed 32-bit integer. The lowest three equal PROT_READ, PROT_WRITE and PROT_EXEC. */
export const VM_READ = 0x1
export const VM_WRITE = 0x2
export const VM_EXEC = 0x4
export const VM_SHARED = 0x8
export const VM_GROWSDOWN = 0x100
export const VM_UFFD_MISSING = 0x200
export const VM_LOCKED = 0x2000
export const VM_SEQ_READ = 0x8000
export const VM_RAND_READ = 0x10000
export const VM_DONTCOPY = 0x20000
export const VM_NORESERVE = 0x200000
export const VM_HUGETLB = 0x400000
export const VM_WIPEONFORK = 0x2000000
export const VM_DONTDUMP = 0x4000000
export const VM_HUGEPAGE = 0x20000000
export const VM_NOHUGEPAGE = 0x40000000
export const VM_MERGEABLE = -0x80000000

/** The access bits of `Vma.flags`. Linux: VM_ACCESS_FLAGS. */
export const VM_ACCESS = 0x7
