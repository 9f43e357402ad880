import Glibc

/// What a program says on its standard streams: written whole, or an error.
package enum StandardOutput {
    /// Milliseconds that a reader may leave us waiting.
    private static let patience: Int32 = 60_000

    /// Writes one line to standard output; it is there when this returns.
    ///
    /// - Throws: ``HostError`` with code `file` when not all of it could be written.
    package static func write(line: String) throws(HostError) {
        try write(line + "\n")
    }

    /// The same for a text that is to end as it does.
    package static func write(_ text: String) throws(HostError) {
        try write(text, to: STDOUT_FILENO, named: "standard output")
    }

    /// Writes one line to standard error, for want of which there is nobody else to tell.
    package static func complain(line: String) {
        try? write(line + "\n", to: STDERR_FILENO, named: "standard error")
    }

    /// Puts something harmless in the place of a standard stream that is closed, so that no file opened later gets its
    /// number and what is meant for the user; writing there still fails.
    package static func occupyClosedStreams() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is taken, and that is this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    static func write(_ text: String, to descriptor: Int32, named name: String) throws(HostError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            let code = errno
            if count < 0, code == EINTR { continue }
            if count < 0, code == EAGAIN, isWritable(descriptor) { continue }
            guard count > 0 else {
                throw HostError(
                    .file,
                    "the result cannot be written to \(name) (\(String(cString: strerror(code)))); "
                        + "run the command again with a place for its output")
            }
            rest = rest.dropFirst(count)
        }
    }

    private static func isWritable(_ descriptor: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return Glibc.poll(&poll, 1, patience) > 0
    }
}
