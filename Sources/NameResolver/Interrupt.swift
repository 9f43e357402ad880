import Glibc

/// Wakes a thread that waits in `poll`, from any other. Once fired, it stays so. Lives as long as the wait and whoever may
/// interrupt it.
final class Interrupt: Sendable {
    /// Readable once fired.
    let descriptor: CInt
    private let writer: CInt

    init() throws {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw NameError(.unreachable, "the name service cannot be asked: no more files can be opened")
        }
        descriptor = ends[0]
        writer = ends[1]
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    func fire() {
        var byte: UInt8 = 0
        _ = write(writer, &byte, 1)
    }
}
