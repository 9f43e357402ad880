import Foundation

/// What a look through an audit log found.
package struct AuditVerification: Sendable, Equatable {
    package struct Fault: Sendable, Equatable, CustomStringConvertible {
        package let file: String
        /// From 1; nil: the end of the file.
        package let line: Int?
        package let problem: String

        package var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(problem)" }
    }

    package private(set) var lines = 0
    package private(set) var faults: [Fault] = []
    /// Hash of the last line.
    package private(set) var head = AuditLine.none
    /// The first line follows one that is in none of these files.
    package private(set) var isContinuation = false

    fileprivate init() {}

    fileprivate mutating func read(_ text: Data, file: String, line: Int) {
        if let entry = try? AuditLine.read(text) {
            if lines == 0 {
                isContinuation = entry.previous != AuditLine.none
            } else if entry.previous != head {
                faults.append(
                    Fault(
                        file: file, line: line,
                        problem: "does not follow the line before it; one of them was changed, or lines are missing"))
            }
        } else {
            faults.append(Fault(file: file, line: line, problem: "is no line of an audit log"))
        }
        lines += 1
        head = AuditLine.hash(text)
    }

    fileprivate mutating func missing(_ problem: String, at file: String) {
        faults.append(Fault(file: file, line: nil, problem: problem))
    }
}

extension AuditLog {
    /// Looks through a log, which may be written to meanwhile.
    ///
    /// - Parameters:
    ///   - earlier: what was rotated away, oldest first.
    ///   - log: the file that is written to.
    package static func verify(_ earlier: [String] = [], log: String) throws -> AuditVerification {
        // First: whatever is written after it only makes the log longer.
        let head = try AuditFile(path: log).head()
        var result = AuditVerification()
        for file in earlier { _ = try look(through: file, &result, endOf: nil) }
        if FileManager.default.fileExists(atPath: log) {
            guard let head else { return try look(through: log, &result, endOf: nil) }
            return try look(through: log, &result, endOf: head)
        }
        if let head, earlier.isEmpty || head.hash != result.head {
            result.missing("is not there, though lines were written", at: log)
        }
        return result
    }

    private static func look(
        through file: String, _ result: inout AuditVerification, endOf head: AuditFile.Head?
    ) throws -> AuditVerification {
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw StoreError(.unavailable, "\(file) cannot be read; run as the user who owns it")
        }
        defer { try? handle.close() }
        var (rest, offset, line) = (Data(), 0, 0)
        var isEndSeen = head == nil
        while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
            rest.append(chunk)
            while let end = rest.firstIndex(of: newline) {
                line += 1
                offset += end - rest.startIndex + 1
                result.read(Data(rest[..<end]), file: file, line: line)
                rest = rest[rest.index(after: end)...]
                if let head, offset == head.size { isEndSeen = result.head == head.hash }
            }
            rest = Data(rest)
            guard rest.count <= AuditFile.longestLine else {
                throw StoreError(.broken, "\(file) is no audit log: line \(line + 1) does not end")
            }
        }
        if !isEndSeen { result.missing("its end was changed or removed", at: file) }
        return result
    }
}
