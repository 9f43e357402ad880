import Foundation
import NIOCore

/// A process that speaks the registration with pycapnp, and our end of the socket to it: `fixtures/registration-peer`.
/// Lives for one conversation. No call waits longer than `patience`.
final class RegistrationPeer {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    enum Role: String { case client, server }

    /// A Python that has pycapnp. Without one there is nothing to compare with; one that is named must work.
    static let interpreter = ProcessInfo.processInfo.environment["CLOUDFLARED_PYCAPNP"]
    /// Seconds: Python may start slowly on a busy machine.
    private static let patience = 30

    private let process = Process()
    private let ended = DispatchSemaphore(value: 0)
    private let socket: FileHandle
    private let folder: URL
    private var output: URL { folder.appendingPathComponent("output") }
    private var errors: URL { folder.appendingPathComponent("errors") }

    /// - Parameter values: what the peer is to say, as JSON.
    init(_ role: Role, _ values: String...) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("registration-peer-\(UUID().uuidString)")
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw Failure(description: "no pair of sockets: \(String(cString: strerror(errno)))")
        }
        socket = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let far = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(ends[0], SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Files and not pipes, so that the peer never waits for us to read what it prints.
        for file in [output, errors] { try Data().write(to: file) }
        let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("fixtures/registration-peer").path
        process.executableURL = URL(fileURLWithPath: Self.interpreter ?? "/usr/bin/python3")
        process.arguments = [fixture, role.rawValue] + values
        process.standardInput = far
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
        // The peer's own copy is the only one left, so its end is seen here.
        try far.close()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Whether the peer still listens is seen at the next `receive`.
    func send(_ bytes: ByteBuffer) throws {
        var rest = bytes
        while rest.readableBytes > 0 {
            let count = rest.withUnsafeReadableBytes {
                Foundation.send(socket.fileDescriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EPIPE || errno == ECONNRESET { return }
            guard count > 0 else { throw failure("takes no bytes") }
            rest.moveReaderIndex(forwardBy: count)
        }
    }

    /// What came in, at least one byte; nil when the peer has ended the stream.
    func receive() throws -> ByteBuffer? {
        var bytes = ByteBuffer()
        var problem: Int32 = 0
        let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 16) {
            let count = recv(socket.fileDescriptor, $0.baseAddress, $0.count, 0)
            if count < 0 { problem = errno }
            return max(0, count)
        }
        // A peer that ends without having read all resets the stream.
        guard problem == 0 || problem == ECONNRESET else { throw failure("says nothing") }
        return count > 0 ? bytes : nil
    }

    /// Ends our direction of the stream.
    func endOutput() {
        shutdown(socket.fileDescriptor, Int32(SHUT_WR))
    }

    /// Ends the stream and waits for the peer to end. Returns the lines it has printed.
    func end() throws -> [String] {
        endOutput()
        guard ended.wait(timeout: .now() + .seconds(Self.patience)) == .success else { throw failure("does not end") }
        guard process.terminationStatus == 0 else { throw failure("ended with \(process.terminationStatus)") }
        return try text(output).split(separator: "\n").map(String.init)
    }

    private func text(_ file: URL) throws -> String {
        String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }

    private func failure(_ what: String) -> Failure {
        Failure(description: "registration-peer \(what): \((try? text(errors)) ?? "")")
    }
}
