import Glibc

/// The number of files and sockets the process may have open.
package enum DescriptorLimit {
    /// Raises the soft limit to the hard one, within reason. Debian's soft limit is 1024, which a daemon that has one socket
    /// a stream reaches long before its own bounds; the hard limit is what the administrator means.
    package static func raise(to wanted: UInt = 65_536) {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < wanted else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
        // A refusal leaves the limit as it was, which works as far as it goes.
        _ = setrlimit(resource, &limit)
    }
}
