// The yardstick of records.py: the same 50,000 agent-queue rows as Jackson beans.
// Prints nanoseconds a row for building the beans and writing them: the first time in a new JVM, and the best of 40.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Rows {
    public static class Row {
        public String queueValue, queueName, agentValue, agentId;
        public boolean isOutbound;
        public int handled, rightPartyContacts, wrongPartyContacts, active;
        public double handledTime, workTime, rightPartyHandleTime, wrongPartyHandleTime, holdTime;
    }

    static List<Row> build(int count) {
        List<Row> rows = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            Row row = new Row();
            row.queueValue = "8057";
            row.queueName = "ChatSkill_11";
            row.agentValue = Integer.toString(967382 + i);
            row.agentId = "11eceb46-1527-7bf0-8adf-0242ac110002";
            row.handled = i % 7;
            row.handledTime = 276.5;
            row.workTime = 3.25;
            rows.add(row);
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[0]);
        long first = 0, best = Long.MAX_VALUE;
        for (int run = 0; run < 40; run++) {
            long began = System.nanoTime();
            ObjectMapper mapper = new ObjectMapper();
            byte[] json = mapper.writeValueAsBytes(Map.of("reportData", Map.of("agentQueueReport", build(count))));
            long took = System.nanoTime() - began;
            if (json.length < count * 100) throw new IllegalStateException("too short");
            if (run == 0) first = took;
            best = Math.min(best, took);
        }
        System.out.println((double) first / count + " " + (double) best / count);
    }
}
