import Foundation
import Glibc

/// The loads, each against a local port that leads to the origin.
enum Workload {
    static func bulkDown(port: Int, bytes: Int) throws {
        try withConnection(port, "D", UInt64(bytes)) { connection, buffer in
            var remaining = bytes
            while remaining > 0 {
                let count = try connection.receive(buffer)
                guard count > 0 else { throw BenchmarkError("download ended \(remaining) bytes early") }
                remaining -= count
            }
        }
    }

    static func bulkUp(port: Int, bytes: Int) throws {
        try withConnection(port, "U", UInt64(bytes)) { connection, buffer in
            var remaining = bytes
            while remaining > 0 {
                let count = min(remaining, buffer.count)
                try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
                remaining -= count
            }
            try connection.receiveAll(UnsafeMutableRawBufferPointer(rebasing: buffer[0..<1]))
        }
    }

    /// Microseconds of each round trip of 64 bytes on one connection.
    static func roundTrips(port: Int, count: Int) throws -> [Double] {
        var times: [Double] = []
        try withConnection(port, "E", 0) { connection, buffer in
            let message = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<64])
            for _ in 0..<count {
                let start = ContinuousClock.now
                try connection.send(UnsafeRawBufferPointer(message))
                try connection.receiveAll(message)
                times.append((ContinuousClock.now - start).seconds * 1e6)
            }
        }
        return times.sorted()
    }

    /// Opens, uses for one byte each way and closes `count` streams, `lanes` at a time.
    static func shortStreams(port: Int, count: Int, lanes: Int) throws {
        let failures = Failures()
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            do {
                for _ in stride(from: lane, to: count, by: lanes) {
                    try withConnection(port, "E", 0) { connection, buffer in
                        let byte = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<1])
                        try connection.send(UnsafeRawBufferPointer(byte))
                        try connection.receiveAll(byte)
                    }
                }
            } catch {
                failures.add(error)
            }
        }
        try failures.throwFirst()
    }

    /// Opens streams that carry one byte and stay; returns them.
    static func idleStreams(port: Int, count: Int) throws -> [Socket] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 16)
        defer { buffer.deallocate() }
        return try (0..<count).map { _ in
            let connection = try Socket.connect(port: port)
            buffer[0] = UInt8(ascii: "E")
            try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<10]))
            try connection.receiveAll(UnsafeMutableRawBufferPointer(rebasing: buffer[0..<1]))
            return connection
        }
    }

    private static func withConnection(
        _ port: Int, _ kind: Unicode.Scalar, _ count: UInt64,
        _ body: (Socket, UnsafeMutableRawBufferPointer) throws -> Void
    ) throws {
        let connection = try Socket.connect(port: port)
        defer { connection.close() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        buffer[0] = UInt8(kind.value)
        buffer.storeBytes(of: count, toByteOffset: 1, as: UInt64.self)
        try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<9]))
        try body(connection, buffer)
    }
}

/// Errors of several threads.
final class Failures: @unchecked Sendable {
    // Safety: guarded by the lock.
    private var errors: [any Error] = []
    private let lock = NSLock()

    func add(_ error: any Error) { lock.withLock { errors.append(error) } }
    func throwFirst() throws { if let first = lock.withLock({ errors.first }) { throw first } }
}
