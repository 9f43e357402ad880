import Logging

/// One log event in the journal's native form: a line `NAME=value` for each field.
struct JournalEntry {
    /// Below what a datagram may hold on every host.
    static let maximumLength = 128 * 1024
    private static let maximumNameLength = 64
    /// Names that mean something to the journal itself.
    private static let reserved: Set<String> = [
        "MESSAGE", "MESSAGE_ID", "PRIORITY", "ERRNO", "DOCUMENTATION", "TID", "UNIT", "USER_UNIT", "INVOCATION_ID",
        "USER_INVOCATION_ID", "OBJECT_PID",
    ]
    private static let reservedBeginnings = ["SYSLOG_", "CODE_", "COREDUMP_", "OBJECT_"]

    private(set) var bytes: [UInt8] = []

    /// The message repeats the fields, as on a console: `journalctl` shows nothing else unless it is asked to.
    init(level: Logger.Level, message: String, fields: Logger.Metadata, identifier: String) {
        add("MESSAGE", LogFormat.text(message: message, fields: fields))
        add("PRIORITY", "\(Self.priority(level))")
        add("SYSLOG_IDENTIFIER", identifier)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            guard let name = Self.fieldName(key) else { continue }
            add(name, Self.plainText(value))
        }
    }

    private mutating func add(_ name: String, _ value: String) {
        // Escaped, a value holds no newline: it can neither end its field nor begin another one.
        let line = Array("\(name)=\(LogFormat.singleLine(value))\n".utf8)
        guard bytes.count + line.count <= Self.maximumLength else { return }
        bytes += line
    }

    /// A metadata key as a field name: capitals, digits and underscores, beginning with a capital. Nil when nothing of the
    /// key remains.
    static func fieldName(_ key: String) -> String? {
        var name = ""
        for byte in key.utf8.prefix(maximumNameLength) {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): name.unicodeScalars.append(Unicode.Scalar(byte - 32))
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "_"
            }
        }
        // A leading underscore is for what the journal knows for itself, such as _UID.
        while let first = name.first, first == "_" || first.isNumber { name.removeFirst() }
        guard !name.isEmpty else { return nil }
        let isReserved = reserved.contains(name) || reservedBeginnings.contains { name.hasPrefix($0) }
        return isReserved ? String("CLOUDFLARED_\(name)".prefix(maximumNameLength)) : name
    }

    private static func plainText(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let object): object.description
        case .array, .dictionary: LogFormat.consoleText(value)
        }
    }

    /// As syslog numbers them.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
